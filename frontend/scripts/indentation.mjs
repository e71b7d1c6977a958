/**
 * Takes the indentation off the styles and markup that modules hold as texts:
 * no minifier looks into them. Their lines stay, so nothing is joined.
 *
 * @returns {import("rolldown").Plugin}
 */
export const withoutIndentation = () => ({
  name: "framewire-without-indentation",
  transform: {
    filter: { id: /\/media-chrome\/dist\/|\/player\/src\/(?:ui|element)\// },
    handler: (code) => code.replace(/\n[ \t]+/g, "\n"),
  },
});
