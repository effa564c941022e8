/** The oldest Node that runs this code: TypeScript without a build step and without a warning. */
const oldest = [24, 11] as const;

/** Ends the process with exit 3 and a sentence when its Node is too old. The first thing every entry point calls. */
export function requireNode(version: string = process.versions.node): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return;
  process.stderr.write(
    `Stampede needs Node ${oldest.join('.')} or newer, this is ${version}; start it through npm, for instance: npm run scenario flash-sale\n`,
  );
  process.exit(3);
}
