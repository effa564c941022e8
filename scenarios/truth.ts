import { truth } from '../harness/index.ts';

export default truth('truth', {
  story:
    'Load generators against a server that notes every arrival, in scripts so simple that the right answer is arithmetic. Ours has to be right.',
  repeats: 3,
});
