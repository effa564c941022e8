import autocannon from 'autocannon';

/** One run of autocannon in a process of its own: takes its options as JSON from the command line and prints its result as JSON. */
export type AutocannonOrder = {
  url: string;
  connections: number;
  duration: number;
  timeout: number;
  overallRate?: number;
  ignoreCoordinatedOmission?: boolean;
};

console.log(JSON.stringify(await autocannon(JSON.parse(process.argv[2] ?? '') as AutocannonOrder)));
