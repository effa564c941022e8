import { expect, test } from 'vitest';
import { embedded, html, trusted, unbroken } from '../../../../reports/html/markup.ts';

test('escapes text wherever it goes in, and leaves markup as it is', () => {
  const name = `<img src=x onerror="a('b')">&`;
  expect(html`<p title="${name}">${name}${html`<b>${1}</b>`}</p>`.markup).toBe(
    '<p title="&lt;img src=x onerror=&quot;a(&#39;b&#39;)&quot;&gt;&amp;">&lt;img src=x onerror=&quot;a(&#39;b&#39;)&quot;&gt;&amp;<b>1</b></p>',
  );
});

test('leaves nothing for what is absent, and joins lists', () => {
  expect(html`${undefined}${false}${['a', trusted('<i>'), ['<']]}`.markup).toBe('a<i>&lt;');
});

test('embeds JSON that cannot end its script element and parses back', () => {
  const value = { text: '</script><!--<script>\u2028\u2029', nested: [1, null] };
  const { markup } = embedded(value);
  expect(markup).not.toMatch(/[<\u2028\u2029]/);
  expect(JSON.parse(markup)).toEqual(value);
});

test('keeps an edge on one line', () => {
  expect(unbroken('the breaker on orders->payment opens').markup).toBe('the breaker on <span class="edge">orders-&gt;payment</span> opens');
});
