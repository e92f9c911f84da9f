import { Autocomplete } from "@base-ui/react/autocomplete";
import { Dialog } from "@base-ui/react/dialog";
import { useMemo, useState } from "react";
import { strings } from "../strings";
import { go } from "./go";
import type { Group } from "./nav";
import style from "./Palette.module.css";
import { signOut } from "./session";
import { switchTheme } from "./theme";

const t = strings.app.palette;

type Item = { label: string; hint?: string | undefined; act: () => void };

type Props = { onClose: () => void; groups: Group[]; account: string; help: () => void };

/** Goes anywhere and does the common things from the keyboard. */
export default function Palette({ onClose, groups, account, help }: Props) {
  const [text, setText] = useState("");
  const items = useMemo<Item[]>(
    () => [
      ...groups.flatMap((g) => g.entries.map((e) => ({ label: e.name, hint: e.key && `G ${e.key.toUpperCase()}`, act: () => go(e.to) }))),
      { label: strings.app.account, act: () => go(account) },
      { label: strings.app.shortcuts.theme, hint: "T", act: switchTheme },
      { label: strings.app.help, hint: "?", act: help },
      { label: strings.app.signOut, act: () => void signOut() },
    ],
    [groups, account, help],
  );
  return (
    <Dialog.Root open onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className={style.shade} />
        <Dialog.Popup className={style.palette} aria-label={t.title}>
          <Autocomplete.Root
            inline
            open
            items={items}
            itemToStringValue={(i: Item) => i.label}
            value={text}
            onValueChange={setText}
            autoHighlight="always"
            keepHighlight
          >
            <Autocomplete.Input className={style.input} placeholder={t.placeholder} aria-label={t.title} />
            <Autocomplete.Empty className={style.none}>{t.none}</Autocomplete.Empty>
            <Autocomplete.List className={style.list}>
              {(item: Item) => (
                <Autocomplete.Item
                  key={item.label}
                  value={item}
                  className={style.item}
                  onClick={() => {
                    onClose();
                    item.act();
                  }}
                >
                  <span>{item.label}</span>
                  {item.hint && <kbd>{item.hint}</kbd>}
                </Autocomplete.Item>
              )}
            </Autocomplete.List>
          </Autocomplete.Root>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
