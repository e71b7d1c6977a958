import { mergeConfig } from "vitest/config";
import base from "./vitest.config.ts";

// mergeConfig would add to the list of files.
const { include: _, ...test } = base.test ?? {};

export default mergeConfig({ ...base, test }, { test: { include: ["soak.ts"], retry: 0 } });
