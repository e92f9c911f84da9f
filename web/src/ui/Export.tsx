import { useCallback, useEffect, useState } from "react";
import { strings } from "../strings";
import { Button } from "./Button";
import { line, mark } from "./csv";
import { Dialog } from "./Dialog";
import { day, exactNumber } from "./format";
import { type List, listQuery } from "./list";
import { type Column, dataOf } from "./PlainTable";
import { type Walked, walk } from "./pages";
import { save } from "./save";
import { Note, ProblemBox, Progress } from "./states";
import { told } from "./Toasts";

const t = strings.ui.table.export;

/** How many rows a file has at most. */
const most = 100_000;

/** Saves all rows of a list, as it is searched, filtered and sorted, with the columns that are shown. */
export default function Export<T>({ list, columns, onClose }: { list: List<T>; columns: Column<T>[]; onClose: () => void }) {
  const [far, setFar] = useState<Walked>({ rows: 0, searched: 0 });
  const [error, setError] = useState<unknown>();
  const [cut, setCut] = useState(false);
  const [tries, setTries] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is saved is what was shown when it was asked for; another try is another run
  const run = useCallback(
    async (signal: AbortSignal) => {
      const { limit: _, after: __, ...asked } = listQuery(list.state, 0);
      const lines = [mark, line(columns.map((c) => c.title))];
      let count = 0;
      const take = (rows: T[], walked: Walked) => {
        for (const row of rows) lines.push(line(columns.map((c) => dataOf(c, row))));
        count = walked.rows;
        setFar(walked);
      };
      const more = await walk(list.fetch, asked, take, most, signal);
      save(`${list.name}-${day(new Date())}.csv`, lines, "text/csv;charset=utf-8");
      if (more) return setCut(true);
      told(t.saved(count));
      onClose();
    },
    [tries],
  );
  useEffect(() => {
    const abort = new AbortController();
    setError(undefined);
    run(abort.signal).catch((e) => !abort.signal.aborted && setError(e));
    return () => abort.abort();
  }, [run]);
  const again = () => setTries(tries + 1);
  return (
    <Dialog open onClose={onClose} title={t.title}>
      <div className="stack">
        {error ? (
          <ProblemBox of={error} again={again} />
        ) : cut ? (
          <Note tone="warn">{t.cut(exactNumber(most))}</Note>
        ) : (
          <>
            <Progress label={t.title} />
            <p role="status" className="num">
              {t.rows(far.rows)} {far.searched > 0 && t.searched(exactNumber(far.searched))}
            </p>
          </>
        )}
        <div>
          <Button onClick={onClose}>{error || cut ? strings.ui.close : strings.ui.cancel}</Button>
        </div>
      </div>
    </Dialog>
  );
}
