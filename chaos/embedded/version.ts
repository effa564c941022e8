/** Parses as a version that has everything clients look for, and says who answers. */
export const version = '2.12.0+embedded.1';
