/** What was done with the tenant's data. */
export const activity = {
  title: "Activity",
  lead: "Everything that was done with your data, by your own people and programs, by runs, and by the provider. Reading counts.",
  empty: "Nothing was done yet",
  emptyHint: "Each sign-in, file, download, run and change of rights is an entry here, in a chain that nobody can change unseen.",
  columns: { at: "When", actor: "Who", verb: "What", subject: "On what", outcome: "Outcome", details: "Details", seq: "Entry" },
  from: "From",
  to: "Until",
  sealed: "Sealed: its key is gone.",
  damaged: "The details are not what was written.",
  noDetails: "It has no details.",
  entry: (seq: number) => `Entry ${seq}`,
  verify: {
    title: "Verify the log",
    text: "Each entry holds the hash of the one before it, and the server signs from time to time where the chain ended. Your browser computes all of it anew from the raw records. The code that does so comes from this server too; the command line is a program of your own.",
    start: "Verify the whole chain",
    again: "Verify again",
    cancel: "Stop",
    fetching: "Fetching checkpoints…",
    running: (done: number, all: number) => `${done.toLocaleString("en")} of about ${all.toLocaleString("en")} entries verified`,
    progress: "Entries verified",
    good: (n: number, covered: number) =>
      `All ${n.toLocaleString("en")} entries are as they were written. ${
        covered > 0
          ? `Signed checkpoints vouch for the first ${covered.toLocaleString("en")}.`
          : "No signed checkpoint covers them yet; the server makes one from time to time."
      }`,
    bad: "The log is not as it was written. Keep this page, and ask the provider.",
    checked: "What was checked",
    entries: "Entries: number, hash and link to the one before",
    checkpoints: "Checkpoints: form, link, Ed25519 signature and proof",
    head: "Hash of the last entry",
    pin: "Pin",
    pinHint:
      "Write this line down where the server cannot change it. Whoever compares it later finds whether anything before it was changed.",
    cli: "The same from the command line, by a program of its own",
    finding: {
      entry: (seq: number, problem: string) => `Entry ${seq}: ${problem}`,
      checkpoint: (seq: number, problem: string) => `Checkpoint ${seq}: ${problem}`,
      key: (_: number, problem: string) => `Key: ${problem}`,
    },
    problems: {
      "another chain": "it belongs to another chain.",
      missing: "it is missing.",
      "does not follow": "it does not follow the one before.",
      changed: "its hash is not the hash of what it says: it was changed.",
      "not vouched": "its hash is not the one that a checkpoint vouches for.",
      format: "it is not in the format of checkpoints.",
      "not signed so": "what is said of it is not what was signed.",
      "unknown key": "it is signed by an unknown key.",
      signature: "its signature is wrong.",
      proof: "its proof does not lead to what was signed.",
      order: "it says that the chain ended before where an earlier one said.",
    },
  },
};
