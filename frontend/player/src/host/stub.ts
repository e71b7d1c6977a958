/** The global variable in which a worker keeps messages that come before it can serve. */
export const earlyMessages = "framewireEarly";
/** The one in which it keeps a socket that was begun before. */
export const earlySocket = "framewireSocket";

/**
 * The text of a worker that imports a module. Not by an import declaration: those
 * of a worker fall under worker-src, where few policies name other origins. What
 * is sent before the module has come is kept for serve.
 */
export function stubOf(module: string): string {
  return `self.${earlyMessages} = [];
onmessage = (event) => self.${earlyMessages}.push(event);
import(${JSON.stringify(module)}).catch((error) => setTimeout(() => { throw error; }));`;
}
