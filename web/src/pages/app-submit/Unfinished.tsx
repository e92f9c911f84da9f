import { useRef, useState } from "react";
import type { Schemas } from "../../api/client";
import { strings } from "../../strings";
import { plain } from "../../strings/apart";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Confirm } from "../../ui/Dialog";
import { bytes } from "../../ui/format";
import { Note, Progress } from "../../ui/states";
import { Bytes, Name, Time } from "../../ui/values";
import { add, dropUpload, same } from "./queue";
import style from "./Submit.module.css";

const t = strings.submit.unfinished;

/** Files of which a part has arrived, from before this page was loaded or from another one. */
export function Unfinished({ uploads }: { uploads: Schemas["WebUpload"][] }) {
  if (uploads.length === 0) return null;
  return (
    <Card title={t.title} flush>
      <p className={style.row}>{t.text}</p>
      <ul className={style.queue}>
        {uploads.map((u) => (
          <One key={u.id} upload={u} />
        ))}
      </ul>
    </Card>
  );
}

function One({ upload }: { upload: Schemas["WebUpload"] }) {
  const choosing = useRef<HTMLInputElement>(null);
  const [other, setOther] = useState(false);
  const [asking, setAsking] = useState(false);
  return (
    <li className={style.row} aria-label={plain(upload.name)}>
      <div className={style.line}>
        <div className={style.file}>
          <span className={style.fileName}>
            <Name of={upload.name} />
          </span>
          <span className={style.what}>
            <bdi>{upload.dataset}</bdi> · {upload.date} · {t.expires} <Time at={upload.expires_at} exact />
          </span>
        </div>
        <div className="row">
          <Button aria-label={t.chooseNamed(upload.name)} onClick={() => choosing.current?.click()}>
            {t.choose}
          </Button>
          <Button kind="quiet" aria-label={t.dropNamed(upload.name)} onClick={() => setAsking(true)}>
            {t.drop}
          </Button>
        </div>
      </div>
      <div className={style.transfer}>
        <Progress label={strings.submit.progress(upload.name)} done={upload.offset} total={upload.length} />
        <p>
          <span>
            <Bytes of={upload.offset} /> {strings.submit.of} <Bytes of={upload.length} />
          </span>
        </p>
      </div>
      {other && <Note tone="bad">{t.other(upload.name, bytes(upload.length))}</Note>}
      <input
        ref={choosing}
        type="file"
        hidden
        aria-label={t.chooseNamed(upload.name)}
        onChange={(e) => {
          const file = e.target.files?.[0];
          e.target.value = "";
          if (!file) return;
          setOther(!same(upload, file));
          if (same(upload, file)) void add([file], {}, [upload]);
        }}
      />
      <Confirm open={asking} onClose={() => setAsking(false)} title={t.dropTitle} verb={t.drop} act={() => dropUpload(upload.id)}>
        {t.dropText}
      </Confirm>
    </li>
  );
}
