// The library as compressed text, for a page that has to be one file; browsers unpack it themselves since 2023.
const packed = Uint8Array.from(atob(document.getElementById("library").textContent), c => c.charCodeAt(0));
new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text().then(code => {
  const script = document.createElement("script");
  script.textContent = code;
  document.head.append(script);
  drawOpen();
});
