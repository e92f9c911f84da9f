import { Popover as Base } from "@base-ui/react/popover";
import type { ReactNode } from "react";
import { buttonClass } from "./Button";
import style from "./Popover.module.css";

type Props = {
  face: ReactNode /** Whether the face has words, which then name it. */;
  named?: boolean;
  label: string;
  children: ReactNode;
  open?: boolean;
  onOpenChange?: (open: boolean) => void;
};

/** A button that opens a small form or list beside it. */
export function Popover({ face, named, label, children, open, onOpenChange }: Props) {
  return (
    <Base.Root {...(open !== undefined && { open })} {...(onOpenChange && { onOpenChange: (next: boolean) => onOpenChange(next) })}>
      <Base.Trigger className={buttonClass()} {...(named ? {} : { "aria-label": label, title: label })}>
        {face}
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner className={style.place} sideOffset={4} align="start" collisionPadding={8}>
          <Base.Popup className={style.popover} aria-label={label}>
            {children}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
