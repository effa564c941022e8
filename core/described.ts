import { withoutControls } from './controls.ts';

/** What came where something else was expected, for the end of a sentence: text in quotes, anything else in words. */
export function described(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `'${withoutControls(value)}'`;
    case 'undefined':
      return 'nothing';
    case 'function':
      return 'a function';
    case 'object':
      return value === null ? 'null' : Array.isArray(value) ? 'a list' : 'an object';
    default:
      return String(value);
  }
}
