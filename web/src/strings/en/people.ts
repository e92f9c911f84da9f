/** Who acts. */
export const people = {
  you: "you",
  server: "the server itself",
  provider: "the provider",
  run: "a run",
  key: (name: string) => `key ${name}`,
};
