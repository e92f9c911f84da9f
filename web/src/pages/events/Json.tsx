import { Copy } from "../../ui/Copy";
import { jsonText } from "./json";

/** Something as JSON, to be read and copied. */
export function Json({ of, label }: { of: unknown; label: string }) {
  return <Copy label={label} text={jsonText(of)} />;
}
