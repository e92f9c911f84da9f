import { Autocomplete } from "@base-ui/react/autocomplete";
import { Dialog } from "@base-ui/react/dialog";
import { useState } from "react";
import { strings } from "../strings";
import { Name } from "../ui/values";
import { fits, useFound } from "./found";
import { go } from "./go";
import type { Action, Group } from "./nav";
import style from "./Palette.module.css";
import { signOut } from "./session";
import { switchTheme } from "./theme";

const t = strings.app.palette;

type Item = { id: string; label: string; hint?: string | undefined; keys?: string | undefined; act: () => void };

type Props = { onClose: () => void; groups: Group[]; actions: Action[]; account: string; help: () => void };

/** Goes anywhere, finds what is called so, and does the common things from the keyboard. */
export default function Palette({ onClose, groups, actions, account, help }: Props) {
  const [text, setText] = useState("");
  const { found, busy, away } = useFound(text);
  const pages: Item[] = [
    ...groups.flatMap((g) =>
      g.entries.map((e) => ({ id: e.to, label: e.name, keys: e.key && `G ${e.key.toUpperCase()}`, act: () => go(e.to) })),
    ),
    { id: account, label: strings.app.account, act: () => go(account) },
  ];
  const acts: Item[] = [
    ...actions.map((a) => ({ id: a.to, label: a.name, act: () => go(a.to) })),
    { id: "theme", label: strings.app.shortcuts.theme, keys: "T", act: switchTheme },
    { id: "help", label: strings.app.help, keys: "?", act: help },
    { id: "out", label: strings.app.signOut, act: () => void signOut() },
  ];
  const named = (items: Item[]) => items.filter((i) => fits(i.label, text.trim()));
  const shown = [
    { value: t.pages, items: named(pages) },
    { value: t.actions, items: named(acts) },
    { value: t.found, items: found.map((f): Item => ({ id: f.to, label: f.label, hint: f.hint, act: () => go(f.to) })) },
  ].filter((g) => g.items.length > 0);
  return (
    <Dialog.Root open onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className={style.shade} />
        <Dialog.Popup className={style.palette} aria-label={t.title}>
          <Autocomplete.Root
            inline
            open
            mode="none"
            items={shown}
            itemToStringValue={(i: Item) => i.label}
            value={text}
            onValueChange={setText}
            autoHighlight="always"
            keepHighlight
          >
            <Autocomplete.Input className={style.input} placeholder={t.placeholder} aria-label={t.title} />
            <Autocomplete.Status className={style.none}>
              {away ? t.away : busy ? shown.length === 0 && t.busy : shown.length === 0 && t.none}
            </Autocomplete.Status>
            <Autocomplete.List className={style.list}>
              {(group: (typeof shown)[number]) => (
                <Autocomplete.Group key={group.value} items={group.items} className={style.group}>
                  <Autocomplete.GroupLabel className={style.label}>{group.value}</Autocomplete.GroupLabel>
                  <Autocomplete.Collection>
                    {(item: Item) => (
                      <Autocomplete.Item
                        key={item.id}
                        value={item}
                        className={style.item}
                        onClick={() => {
                          onClose();
                          item.act();
                        }}
                      >
                        <Name of={item.label} />
                        {item.hint && <small>{item.hint}</small>}
                        {item.keys && <kbd>{item.keys}</kbd>}
                      </Autocomplete.Item>
                    )}
                  </Autocomplete.Collection>
                </Autocomplete.Group>
              )}
            </Autocomplete.List>
          </Autocomplete.Root>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
