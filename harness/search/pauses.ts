/** How long the target is warmed up before the first trial: code that has just started is a third slower, and only much use makes it faster. */
export const warmUpMs = 12_000;

/** How long nobody comes after a trial that did not meet: governance looks back 10 s at most, and what the next rate is judged by is its own. */
export const forgetMs = 12_000;
