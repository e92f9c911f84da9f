import { FileDown, Terminal } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { strings } from "../strings";
import { Copy } from "./Copy";
import { listCommand } from "./command";
import { Dialog } from "./Dialog";
import type { List } from "./list";
import { Menu } from "./Menu";
import type { Column } from "./PlainTable";
import { told } from "./Toasts";

const t = strings.ui.table;

const Export = lazy(() => import("./Export")) as typeof import("./Export").default;

/** What one can do with a list as it is shown: take it away as a file, or as the command that lists the same. */
export function ListMenu<T>({ list, columns }: { list: List<T>; columns: Column<T>[] }) {
  const [exports, setExports] = useState(false);
  const [shown, setShown] = useState<string>();
  const copy = async () => {
    const text = listCommand(list.command, list.state);
    try {
      await navigator.clipboard.writeText(text);
      told(t.command.copied);
    } catch {
      setShown(text); // a page without a clipboard of its own
    }
  };
  return (
    <>
      <Menu
        label={t.more}
        items={[
          { label: t.export.start, icon: <FileDown size={16} />, act: () => setExports(true) },
          { label: t.command.copy, icon: <Terminal size={16} />, act: () => void copy() },
        ]}
      />
      <Suspense>{exports && <Export list={list} columns={columns} onClose={() => setExports(false)} />}</Suspense>
      <Dialog open={shown !== undefined} onClose={() => setShown(undefined)} title={t.command.title}>
        <Copy text={shown ?? ""} label={t.command.title} />
      </Dialog>
    </>
  );
}
