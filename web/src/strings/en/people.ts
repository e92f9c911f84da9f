/** Who acts. */
export const people = {
  you: "you",
  server: "the server itself",
  key: (name: string) => `key ${name}`,
};
