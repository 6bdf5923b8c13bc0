/** @type {import('@sveltejs/vite-plugin-svelte').SvelteConfig} */
export default {
  compilerOptions: {
    runes: true,
    // Built node by node: not even the templates go through a parser of markup.
    fragments: 'tree',
  },
};
