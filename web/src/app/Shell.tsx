import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { Menu as MenuIcon, Search, X } from "lucide-react";
import { lazy, Suspense, useEffect, useState } from "react";
import { strings } from "../strings";
import { IconButton } from "../ui/Button";
import { zone } from "../ui/format";
import { Note } from "../ui/states";
import { AccountMenu } from "./AccountMenu";
import { may } from "./access";
import { useHeading } from "./heading";
import { useLive } from "./live";
import type { Action, Group } from "./nav";
import style from "./Shell.module.css";
import { isAdmin, useMe } from "./session";
import { useShortcuts } from "./shortcuts";
import { ThemeButton } from "./ThemeButton";

const t = strings.app;

// Fetched when they are first opened.
const Palette = lazy(() => import("./Palette"));
const ShortcutHelp = lazy(() => import("./ShortcutHelp"));

/** The frame of a portal: its pages at the side, search and account at the top. */
export function Shell({
  groups,
  actions,
  account,
}: {
  groups: Group[];
  actions: Action[] /** The path of one's own account page. */;
  account: string;
}) {
  const who = useMe();
  const mine = actions.filter((a) => may(who, a.to.replace(/[?].*/, "")) && (!a.admin || isAdmin(who)));
  const seen = groups.map((g) => ({ ...g, entries: g.entries.filter((e) => may(who, e.to)) })).filter((g) => g.entries.length > 0);
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  const [nav, setNav] = useState(false);
  const path = useRouterState({ select: (s) => s.location.pathname });
  // biome-ignore lint/correctness/useExhaustiveDependencies: closes when one has gone somewhere
  useEffect(() => setNav(false), [path]);
  useHeading();
  const live = useLive();
  useShortcuts(seen, { palette: () => setPalette(true), help: () => setHelp(true) });
  return (
    <div className={style.shell}>
      <a className={style.skip} href="#content">
        {t.skip}
      </a>
      <aside className={nav ? `${style.side} ${style.open}` : style.side}>
        <div className={style.brand}>
          <img src="/icon.svg" alt="" width={20} height={20} />
          {t.name}
          <IconButton className={style.closeNav} label={strings.ui.close} icon={<X size={18} />} onClick={() => setNav(false)} />
        </div>
        <nav aria-label={t.menu}>
          {seen.map((g) => (
            <div key={g.name ?? ""} className={style.group}>
              {g.name && <h2>{g.name}</h2>}
              <ul>
                {g.entries.map((e) => (
                  <li key={e.to}>
                    <Link
                      to={e.to}
                      activeOptions={{ exact: e.to === "/app" || e.to === "/admin", includeSearch: false }}
                      className={style.entry}
                      activeProps={{ "aria-current": "page" }}
                    >
                      <e.icon size={16} aria-hidden />
                      {e.name}
                    </Link>
                  </li>
                ))}
              </ul>
            </div>
          ))}
        </nav>
        <p className={style.zone}>{t.zone(zone())}</p>
      </aside>
      {nav && <button type="button" className={style.shade} aria-label={strings.ui.close} onClick={() => setNav(false)} />}
      <div className={style.main}>
        <header className={style.top}>
          <IconButton className={style.openNav} label={t.menu} icon={<MenuIcon size={18} />} onClick={() => setNav(true)} />
          <button type="button" className={style.find} onClick={() => setPalette(true)}>
            <Search size={16} aria-hidden />
            <span>{t.search}</span>
            <kbd>Ctrl K</kbd>
          </button>
          <span className={style.grow} />
          <ThemeButton />
          <AccountMenu account={account} help={() => setHelp(true)} />
        </header>
        {live === "lost" && <Note tone="warn">{t.live.lost}</Note>}
        <main id="content" tabIndex={-1}>
          <Outlet />
        </main>
      </div>
      <Suspense>
        {palette && <Palette onClose={() => setPalette(false)} groups={seen} actions={mine} account={account} help={() => setHelp(true)} />}
        {help && <ShortcutHelp onClose={() => setHelp(false)} groups={seen} />}
      </Suspense>
    </div>
  );
}
