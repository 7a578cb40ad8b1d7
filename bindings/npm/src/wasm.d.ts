// A module of WebAssembly, as hosts that compile it hand it over.
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
