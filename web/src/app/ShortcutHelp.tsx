import { strings } from "../strings";
import { Dialog } from "../ui/Dialog";
import { Checkbox } from "../ui/Field";
import { usePreference } from "../ui/preferences";
import type { Group } from "./nav";
import style from "./ShortcutHelp.module.css";

const t = strings.app.shortcuts;

/** The list of keys. */
export default function ShortcutHelp({ onClose, groups }: { onClose: () => void; groups: Group[] }) {
  const [singles, setSingles] = usePreference("shortcuts", true);
  const keys: [string[], string][] = [
    [["Ctrl", "K"], t.palette],
    [["/"], t.filter],
    [["J"], t.rows],
    [["K"], t.rows],
    [["Enter"], t.open],
    [["T"], t.theme],
    [["?"], t.help],
    ...groups
      .flatMap((g) => g.entries)
      .flatMap((e): [string[], string][] => (e.key ? [[["G", e.key.toUpperCase()], `${t.go} ${e.name}`]] : [])),
  ];
  return (
    <Dialog open onClose={onClose} title={t.title}>
      <dl className={style.keys}>
        {keys.map(([combination, what]) => (
          <div key={combination.join()}>
            <dt>
              {combination.map((k) => (
                <kbd key={k}>{k}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <Checkbox label={t.singles} hint={t.singlesHint} checked={singles} onChange={setSingles} />
    </Dialog>
  );
}
