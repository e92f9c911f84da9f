import { Lock } from "lucide-react";
import type { ReactNode } from "react";
import style from "./Sealed.module.css";

/** A line with a lock: why something cannot be read here. */
export function Sealed({ children }: { children: ReactNode }) {
  return (
    <p className={style.sealed}>
      <Lock size={14} aria-hidden />
      <span>{children}</span>
    </p>
  );
}
