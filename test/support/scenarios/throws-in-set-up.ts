import story from './short-story.ts';

// Stands for a defect of ours: nobody can catch it, and servers are being started when it comes.
setTimeout(() => {
  throw new Error('nobody caught this');
}, 1_000);

export default story;
