// Brings the playground to life: the page is there already, and the store is opened.
import { hydrate } from "preact";
import { lookAfterDeletes } from "./deletions.ts";
import { keepReading } from "./listing.ts";
import { Playground } from "./playground.tsx";
import { registry } from "./registry.ts";
import { keepCounting } from "./counted.ts";
import { keepLooking } from "./storage.tsx";

const place = document.querySelector("#playground");
if (!place) throw new Error("the page has no place for the playground");
hydrate(<Playground />, place);
keepReading();
keepCounting();
keepLooking();
lookAfterDeletes();
void registry.open();
