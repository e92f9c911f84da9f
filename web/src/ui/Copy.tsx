import { Check, Copy as CopyIcon } from "lucide-react";
import { useState } from "react";
import { strings } from "../strings";
import { IconButton } from "./Button";
import style from "./Copy.module.css";

/** Text to be copied as it stands: a command, a key, an address. */
export function Copy({ text, label }: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <div className={style.copy}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard */}
      <section tabIndex={0} aria-label={label ?? strings.ui.copy.text}>
        <pre>{text}</pre>
      </section>
      <IconButton
        label={copied ? strings.ui.copy.copied : strings.ui.copy.copy}
        icon={copied ? <Check size={16} /> : <CopyIcon size={16} />}
        onClick={copy}
      />
      <span role="status" className="visually-hidden">
        {copied ? strings.ui.copy.copied : ""}
      </span>
    </div>
  );
}
