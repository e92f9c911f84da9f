import { useEffect, useState } from "react";
import * as format from "./format";

/** How long something goes on already, by the second. */
export function Elapsed({ from }: { from: string | undefined }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  if (!from) return null;
  const seconds = Math.max(0, Math.floor((now - Date.parse(from)) / 1000));
  return <span className="num">{seconds < 60 ? `${seconds} s` : format.duration(seconds * 1000)}</span>;
}
