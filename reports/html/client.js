// Runs in the reader's browser. The page is complete without it; this adds the crosshair, the details of spans and the download.
(() => {
  const recordText = document.getElementById('record').textContent;
  const told = document.getElementById('told');

  crosshair();
  spanDetails();
  download();
  addEventListener('keydown', ({ key }) => key === 'Escape' && hide());

  function crosshair() {
    const timeline = document.querySelector('.timeline');
    const seconds = Number(timeline.dataset.seconds);
    const fromMs = Number(timeline.dataset.from);
    const lastsMs = Number(timeline.dataset.lasts);
    let second = -1;

    for (const plot of timeline.querySelectorAll('[data-told]')) {
      let panel;
      const tell = (wanted, place) => {
        panel ??= JSON.parse(plot.closest('figure').querySelector('script').textContent);
        second = Math.max(0, Math.min(seconds - 1, wanted));
        const share = Math.min((second * 1000 + 500) / lastsMs, 1);
        timeline.style.setProperty('--at', share);
        timeline.classList.add('pointed');
        const box = plot.getBoundingClientRect();
        show(
          [`${panel.title}, ${moment(fromMs + second * 1000)}`],
          rows(panel),
          place ?? { x: box.left + share * box.width, y: box.top + 20 },
        );
      };
      const follow = (event) => {
        const box = plot.getBoundingClientRect();
        tell(Math.floor((((event.clientX - box.left) / box.width) * lastsMs) / 1000), { x: event.clientX, y: event.clientY });
      };
      plot.addEventListener('pointerdown', follow);
      plot.addEventListener('pointermove', follow);
      plot.addEventListener('pointerleave', (event) => event.pointerType === 'mouse' && hide());
      plot.addEventListener('focus', () => plot.matches(':focus-visible') && tell(second));
      plot.addEventListener('blur', hide);
      plot.addEventListener('keydown', (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -seconds, End: seconds }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        tell(second + step);
      });
    }

    const rows = ({ series }) =>
      series
        .filter(({ values }) => values[second])
        .map(({ name, colour, values }) => ({ name, colour, value: values[second] }))
        .reverse();
  }

  function spanDetails() {
    let record;
    const tell = (row, place) => {
      record ??= JSON.parse(recordText);
      const [trace, index] = row.dataset.span.split('/').map(Number);
      const { spans } = record.traces[trace];
      const span = spans[index];
      const facts = {
        kind: span.kind,
        begins: `${(span.startMs - spans[0].startMs).toFixed(1)} ms`,
        lasts: `${span.durationMs.toFixed(1)} ms`,
        ...(span.failed ? { failed: 'yes' } : {}),
        ...span.attributes,
      };
      for (const { name, atMs } of span.events) facts[`${name} at`] = `${(atMs - spans[0].startMs).toFixed(1)} ms`;
      show(
        [span.instance, span.name],
        Object.entries(facts).map(([name, value]) => ({ name, value: String(value) })),
        place,
      );
    };
    const chosen = document.querySelector('.trace-choice :checked');
    const entry = chosen?.closest('label');
    const list = chosen?.closest('.list');
    if (entry && entry.offsetTop + entry.offsetHeight > list.clientHeight) list.scrollTop = entry.offsetTop - entry.offsetHeight;
    for (const spans of document.querySelectorAll('.spans')) {
      const rows = [...spans.children];
      let at = -1;
      const follow = (event) => {
        const row = event.target.closest('[data-span]');
        if (row) tell(row, { x: event.clientX, y: event.clientY });
      };
      spans.addEventListener('pointerdown', follow);
      spans.addEventListener('pointermove', follow);
      spans.addEventListener('pointerleave', (event) => event.pointerType === 'mouse' && hide());
      spans.addEventListener('blur', () => {
        rows[at]?.classList.remove('pointed');
        hide();
      });
      spans.addEventListener('keydown', (event) => {
        const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        rows[at]?.classList.remove('pointed');
        at = Math.max(0, Math.min(rows.length - 1, at + step));
        const row = rows[at];
        row.classList.add('pointed');
        row.scrollIntoView({ block: 'nearest' });
        const box = row.getBoundingClientRect();
        tell(row, { x: box.left + box.width / 3, y: box.bottom });
      });
    }
  }

  function download() {
    const button = document.getElementById('download');
    button.hidden = false;
    button.addEventListener('click', () => {
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob([recordText], { type: 'application/json' }));
      link.download = button.dataset.file;
      link.click();
      URL.revokeObjectURL(link.href);
    });
  }

  function show(title, rows, { x, y }) {
    const heading = document.createElement('b');
    heading.textContent = title.join(' ');
    const list = document.createElement('dl');
    for (const { name, value, colour } of rows) {
      const term = document.createElement('dt');
      if (colour) {
        const key = document.createElement('i');
        key.style.setProperty('--colour', `var(--${colour})`);
        term.append(key);
      }
      term.append(name);
      const what = document.createElement('dd');
      what.textContent = value;
      list.append(term, what);
    }
    told.replaceChildren(heading, list);
    told.hidden = false;
    const { width, height } = told.getBoundingClientRect();
    told.style.left = `${Math.max(4, x + 16 + width > innerWidth ? Math.min(x - width - 16, innerWidth - width - 4) : x + 16)}px`;
    told.style.top = `${Math.max(4, Math.min(y + 12, innerHeight - height - 8))}px`;
  }

  function hide() {
    told.hidden = true;
    document.querySelector('.timeline').classList.remove('pointed');
  }

  function moment(ms) {
    const seconds = Math.round(Math.abs(ms) / 1000);
    return `${ms < 0 ? '-' : ''}${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  }
})();
