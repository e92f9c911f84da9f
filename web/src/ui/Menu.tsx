import { Menu as Base } from "@base-ui/react/menu";
import { MoreHorizontal } from "lucide-react";
import type { ReactNode } from "react";
import { strings } from "../strings";
import { plain } from "../strings/apart";
import { buttonClass } from "./Button";
import style from "./Menu.module.css";

export type MenuItem = { label: string; icon?: ReactNode; act: () => void; danger?: boolean; disabled?: boolean };

/** A button that opens a list of acts. It is named by its face, or, with three dots for a face, by its label. */
export function Menu({
  items,
  face,
  label = strings.ui.table.actions,
  opened = false,
}: {
  items: MenuItem[];
  face?: ReactNode;
  label?: string;
  /** Open from the start. */
  opened?: boolean;
}) {
  return (
    <Base.Root defaultOpen={opened}>
      <Base.Trigger
        className={`${buttonClass("quiet")} ${face ? "" : style.dots}`}
        {...(face ? {} : { "aria-label": plain(label), title: plain(label) })}
      >
        {face ?? <MoreHorizontal size={16} />}
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner className={style.place} sideOffset={4} align="end">
          <Base.Popup className={style.menu}>
            {items.map((i) => (
              <Base.Item
                key={i.label}
                className={i.danger ? `${style.item} ${style.danger}` : style.item}
                disabled={i.disabled ?? false}
                onClick={i.act}
              >
                {i.icon}
                {i.label}
              </Base.Item>
            ))}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
