import { CircleUser, Keyboard, LogOut } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { strings } from "../strings";
import { buttonClass } from "../ui/Button";
import { go } from "./go";
import style from "./Shell.module.css";
import { signOut, useMe } from "./session";

const t = strings.app;

// A fifth of what a first load would fetch, so it comes when it is first opened.
const Menu = lazy(async () => ({ default: (await import("../ui/Menu")).Menu }));

/** Who one is, and what one can do about that. */
export function AccountMenu({ account, help }: { account: string; help: () => void }) {
  const who = useMe();
  const [opened, setOpened] = useState(false);
  const face = (
    <>
      <CircleUser size={18} aria-hidden />
      <span className="visually-hidden">{t.account}</span>
      <bdi className={style.who}>{who.email ?? who.id}</bdi>
    </>
  );
  const closed = (
    <button type="button" className={buttonClass("quiet")} aria-haspopup="menu" aria-expanded={false} onClick={() => setOpened(true)}>
      {face}
    </button>
  );
  if (!opened) return closed;
  return (
    <Suspense fallback={closed}>
      <Menu
        opened
        label={t.account}
        face={face}
        items={[
          { label: t.account, icon: <CircleUser size={16} />, act: () => go(account) },
          { label: t.help, icon: <Keyboard size={16} />, act: help },
          { label: t.signOut, icon: <LogOut size={16} />, act: () => void signOut() },
        ]}
      />
    </Suspense>
  );
}
