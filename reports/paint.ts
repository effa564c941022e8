import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];
/** Gives text a colour or a weight; `reset` leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

/** Without colour everything is left as it is. Whether a terminal has any is for the caller to know. */
export const painter =
  (colour: boolean): Paint =>
  (style, text) =>
    colour && style !== 'reset' ? styleText(style, text, { validateStream: false }) : text;
