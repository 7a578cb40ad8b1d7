// Connectory as a contender, from the package as it is published.
import * as ours from "../../../benches/javascript/peers/ours.mjs";

export function open(opening: object): Promise<object> {
  return ours.open(opening, () => import("connectory"));
}
