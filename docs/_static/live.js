// Tell the live pages whether this page is light or dark.

function tell(frame) {
  const { theme } = document.documentElement.dataset;
  frame.contentWindow?.postMessage({ theme }, "*");
}

const frames = () => document.querySelectorAll("iframe.live");

addEventListener("DOMContentLoaded", () => {
  for (const frame of frames()) {
    frame.addEventListener("load", () => tell(frame));
    tell(frame);
  }
  new MutationObserver(() => frames().forEach(tell)).observe(document.documentElement, {
    attributeFilter: ["data-theme"],
  });
});
