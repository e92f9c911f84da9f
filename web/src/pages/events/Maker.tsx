import { Actor } from "../../app/people";
import { useMe } from "../../app/session";
import { Actor as StaffActor } from "../admin/actors";

/** Who did something, by name, in either portal. */
export function Maker({ of }: { of: string | undefined }) {
  return useMe().tenant ? <Actor id={of} /> : <StaffActor of={of} />;
}
