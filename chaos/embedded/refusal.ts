/** What a control call is refused with: the status, and the text that clients read. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const refusals = {
  badBody: (detail: string) => new Refusal(400, `bad request body: ${detail}`),
  missingField: (field: string, place = '') => new Refusal(400, `missing required field: ${field}${place}`),
  badStream: () => new Refusal(400, 'stream was invalid, can be either upstream or downstream'),
  badType: () => new Refusal(400, 'invalid toxic type'),
  noProxy: () => new Refusal(404, 'proxy not found'),
  noToxic: () => new Refusal(404, 'toxic not found'),
  proxyExists: () => new Refusal(409, 'proxy already exists'),
  toxicExists: () => new Refusal(409, 'toxic already exists'),
};
