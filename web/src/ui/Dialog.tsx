import { Dialog as Base } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import { type ReactNode, useRef, useState } from "react";
import { strings } from "../strings";
import { Button, IconButton } from "./Button";
import style from "./Dialog.module.css";
import { TextField } from "./Field";
import { ProblemBox } from "./states";
import { useSubmit } from "./submit";

type Props = {
  open: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode /** At the side of the page instead of over its middle. */;
  drawer?: boolean;
};

/** A dialog over the page. Escape, its cross and a press outside close it. */
export function Dialog({ open, onClose, title, children, drawer }: Props) {
  const popup = useRef<HTMLDivElement>(null);
  // What is typed first, if anything is; else what Base UI would take.
  const first = () => popup.current?.querySelector<HTMLElement>("input:not([type=hidden]), select, textarea") ?? true;
  return (
    <Base.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Base.Portal>
        <Base.Backdrop className={style.shade} />
        <Base.Popup ref={popup} className={drawer ? style.drawer : style.dialog} initialFocus={first}>
          <header className={style.head}>
            <Base.Title>
              <bdi>{title}</bdi>
            </Base.Title>
            <IconButton label={strings.ui.close} icon={<X size={18} />} onClick={onClose} />
          </header>
          <div className={style.body}>{children}</div>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

type ConfirmProps = {
  open: boolean;
  onClose: () => void;
  title: string;
  /** What it does, and what it leaves. */
  children: ReactNode;
  verb: string;
  /** To be typed before it can be pressed, for what cannot be taken back. */
  typed?: string;
  /** It cannot be pressed, and what is in the dialog says why. */
  disabled?: boolean;
  act: () => Promise<unknown>;
};

/** Asks before something is done, does it, and shows what went wrong. */
export function Confirm({ open, onClose, title, children, verb, typed, disabled, act }: ConfirmProps) {
  const [text, setText] = useState("");
  const close = () => {
    setText("");
    setError(undefined);
    onClose();
  };
  const { busy, error, setError, submit } = useSubmit(async () => {
    await act();
    close();
  });
  return (
    <Dialog open={open} onClose={close} title={title}>
      <form className="stack" onSubmit={submit}>
        <div>{children}</div>
        {typed && <TextField label={strings.ui.confirm.type(typed)} value={text} onChange={setText} autoComplete="off" />}
        <ProblemBox of={error} />
        <div className={style.foot}>
          <Button onClick={close}>{strings.ui.cancel}</Button>
          <Button
            type="submit"
            kind={typed ? "danger" : "primary"}
            busy={busy}
            disabled={disabled || (typed !== undefined && text !== typed)}
          >
            {verb}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
