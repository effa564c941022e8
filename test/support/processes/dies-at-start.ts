// Says why it cannot go on, and ends with 7.
console.error('Error: the moon is in the wrong house');
process.exit(7);
