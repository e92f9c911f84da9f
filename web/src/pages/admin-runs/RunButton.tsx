import { Play } from "lucide-react";
import { useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { useRunDrawer } from "./drawer";

/** Opens the drawer in which analyses are run; only for who may. */
export function RunButton({ analysis, children }: { analysis?: string; children?: string }) {
  const { open } = useRunDrawer();
  if (useMe().role !== "system_admin") return null;
  return (
    <Button kind="primary" icon={<Play size={16} aria-hidden />} onClick={() => open(analysis)}>
      {children ?? strings.runs.start}
    </Button>
  );
}
