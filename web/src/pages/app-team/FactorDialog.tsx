import { api, call, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Confirm } from "../../ui/Dialog";
import { told } from "../../ui/Toasts";

const t = strings.team;

/** Takes the second factor of somebody away who has lost it. */
export function FactorDialog({ of: u, onClose }: { of: Schemas["User"]; onClose: () => void }) {
  return (
    <Confirm
      open
      onClose={onClose}
      title={t.factorTitle(u.name || u.email)}
      verb={t.takeFactor}
      act={async () => {
        await call(api.DELETE("/api/v1/users/{id}/totp", { params: { path: { id: u.id } } }));
        await queries.invalidateQueries({ queryKey: ["user"] });
        told(t.factorTaken);
      }}
    >
      {t.factorText}
    </Confirm>
  );
}
