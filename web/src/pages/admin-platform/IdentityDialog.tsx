import { useQuery } from "@tanstack/react-query";
import { api, call, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Loaded, ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { told } from "../../ui/Toasts";
import { IdentityFacts } from "../account/Identity";

const t = strings.platform.people;

/** Who one of the provider's people is at the issuer, and the end of it. */
export function IdentityDialog({ of: u, onClose }: { of: Schemas["User"]; onClose: () => void }) {
  const path = { id: u.id };
  const query = useQuery({
    queryKey: ["user", "identity", u.id],
    queryFn: ({ signal }) => call(api.GET("/api/v1/users/{id}/identity", { signal, params: { path } })),
  });
  const { busy, error, submit } = useSubmit(async () => {
    await call(api.DELETE("/api/v1/users/{id}/identity", { params: { path } }));
    await queries.invalidateQueries({ queryKey: ["user"] });
    told(t.done);
    onClose();
  });
  return (
    <Dialog open onClose={onClose} title={t.identityOf(u.name || u.email)}>
      <Loaded query={query}>
        {(now) =>
          now.linked ? (
            <form className="stack" onSubmit={submit}>
              <IdentityFacts of={now} />
              <p className="secondary">{t.unlinkText}</p>
              <ProblemBox of={error} />
              <Button type="submit" kind="danger" busy={busy}>
                {t.unlink}
              </Button>
            </form>
          ) : (
            <p>{t.notLinked}</p>
          )
        }
      </Loaded>
    </Dialog>
  );
}
