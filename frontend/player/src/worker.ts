/**
 * The worker of the package: loaded by define, never imported by applications.
 *
 * @module
 */
import { serve } from "./host/worker.ts";

serve();
