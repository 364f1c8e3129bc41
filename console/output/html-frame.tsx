/** Shows HTML of the code's making in a frame without the page's origin: its scripts reach neither the page nor the network. */
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { isDark, theme } from "../ui/theme.ts";

const LEAST_HEIGHT = 24;
const MOST_HEIGHT = 720;

interface FrameMessage {
  isReady?: boolean;
  height?: number;
}

interface HtmlFrameProps {
  /** Any HTML, a whole document or a part. */
  html: string;
  /** What screen readers call it. */
  label: string;
  /** Pixels, until the content says its own. */
  height?: number;
}

/** The frame. */
export function HtmlFrame(props: HtmlFrameProps): JSX.Element {
  // Made anew for other colours: a document that has run cannot be written twice.
  return <Frame key={theme.value} {...props} />;
}

function Frame({ html, label, height: firstHeight = LEAST_HEIGHT }: HtmlFrameProps): JSX.Element {
  const frame = useRef<HTMLIFrameElement>(null);
  const [height, setHeight] = useState(firstHeight);
  const [isReady, setReady] = useState(false);

  // Before the frame can have said anything.
  useLayoutEffect(() => {
    const onMessage = (event: MessageEvent<FrameMessage>): void => {
      if (event.source !== frame.current?.contentWindow) return;
      if (event.data.isReady === true) setReady(true);
      const asked = event.data.height;
      if (typeof asked === "number") setHeight(Math.min(Math.max(asked, LEAST_HEIGHT), MOST_HEIGHT));
    };
    addEventListener("message", onMessage);
    return () => removeEventListener("message", onMessage);
  }, []);

  useEffect(() => {
    // Its origin is opaque, so there is no name to send to.
    if (isReady) frame.current?.contentWindow?.postMessage({ html, isDark: isDark() }, "*");
  }, [isReady, html]);

  return (
    <iframe
      ref={frame}
      class="html-frame"
      src="frame.html"
      sandbox="allow-scripts"
      referrerpolicy="no-referrer"
      title={label}
      height={height}
    />
  );
}
