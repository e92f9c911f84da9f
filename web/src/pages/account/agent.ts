import { strings } from "../../strings";

const t = strings.account.sessions;

// The first that fits: Edge and Opera call themselves Chrome too, and Chrome Safari.
const programs: [RegExp, string][] = [
  [/^tributary\//, t.cli],
  [/^SFTP$/, "SFTP"],
  [/Edg(?:e|A|iOS)?\//, "Edge"],
  [/OPR\//, "Opera"],
  [/Firefox\/|FxiOS\//, "Firefox"],
  [/Chrom(?:e|ium)\/|CriOS\//, "Chrome"],
  [/Version\/.*Safari\//, "Safari"],
  [/^curl\//, "curl"],
  [/^python/i, "Python"],
];

const systems: [RegExp, string][] = [
  [/iPhone|iPad/, "iOS"],
  [/Android/, "Android"],
  [/Windows/, "Windows"],
  [/Mac OS X|Macintosh/, "macOS"],
  [/CrOS/, "ChromeOS"],
  [/Linux/, "Linux"],
];

/** Names the program behind what it says of itself, in a few words; what is not known stays as it was said. */
export function programOf(agent: string): string {
  const program = programs.find(([form]) => form.test(agent))?.[1];
  const system = systems.find(([form]) => form.test(agent))?.[1];
  if (!program) return agent.trim().slice(0, 60) || t.unknown;
  return system ? `${program} ${t.on} ${system}` : program;
}
