// The address of the search index, which build/site.ts puts beside the scripts.
declare module "virtual:search-index" {
  const address: string;
  export default address;
}
