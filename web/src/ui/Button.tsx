import type { ButtonHTMLAttributes, ReactNode } from "react";
import style from "./Button.module.css";

type Kind = "primary" | "plain" | "quiet" | "danger";

type Props = ButtonHTMLAttributes<HTMLButtonElement> & {
  kind?: Kind;
  /** Shown instead of words on narrow screens, and before them on wide ones. */
  icon?: ReactNode;
  /** It is doing what it was pressed for, and cannot be pressed again. */
  busy?: boolean;
};

export function Button({ kind = "plain", icon, busy, children, className = "", disabled, type = "button", ...rest }: Props) {
  return (
    <button {...rest} type={type} disabled={disabled || busy} aria-busy={busy || undefined} className={`${buttonClass(kind)} ${className}`}>
      {busy ? <span className={style.spinner} aria-hidden /> : icon}
      {children}
    </button>
  );
}

/** The look of a button, for links that lead to what a button would do. */
export function buttonClass(kind: Kind = "plain"): string {
  return `${style.button} ${style[kind]}`;
}

type IconProps = Omit<ButtonHTMLAttributes<HTMLButtonElement>, "children"> & { label: string; icon: ReactNode };

/** A button of an icon alone; its label is read out and shown on hover. */
export function IconButton({ label, icon, className = "", type = "button", ...rest }: IconProps) {
  return (
    <button {...rest} type={type} className={`${buttonClass("quiet")} ${style.icon} ${className}`} aria-label={label} title={label}>
      {icon}
    </button>
  );
}
