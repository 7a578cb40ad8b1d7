// The playground: everything that can be done with a store, and what the engine says to it.
import { Profiles, Proxies } from "./beside.tsx";
import { Connections } from "./connections.tsx";
import { Waiting } from "./waiting.tsx";
import { Create } from "./create.tsx";
import { Edit } from "./edit.tsx";
import { Latest, Storage } from "./storage.tsx";
import { Transfer } from "./transfer.tsx";
import { Trouble } from "./trouble.tsx";

export function Playground() {
  return (
    <>
      <Trouble />
      <Create />
      <div class="columns">
        <Connections />
        <div class="beside">
          <Transfer />
          <Profiles />
          <Proxies />
        </div>
      </div>
      <div class="below">
        <Storage />
        <Latest />
      </div>
      <Edit />
      <Waiting />
    </>
  );
}
