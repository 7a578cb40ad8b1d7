// A module of WebAssembly, as wrangler has it compiled.
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
