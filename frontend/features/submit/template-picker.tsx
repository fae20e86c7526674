"use client";

import { type TemplateName, templateNames, templates } from "@dekuper/protocol";
import { useNetwork } from "../network/network-provider.tsx";
import styles from "./submit.module.css";

const TITLES: Record<TemplateName, string> = { batch: "Batch", pytorch: "PyTorch", container: "Container" };
const ORDER = [...templateNames].sort((a, b) => Number(a === "container") - Number(b === "container"));

/** Three cards, one choice. A template whose image this network lacks is shown but cannot be chosen. */
export function TemplatePicker(props: { value: TemplateName; onChange: (template: TemplateName) => void }) {
  const { images } = useNetwork();
  return (
    <fieldset className={styles.templates}>
      <legend className="visually-hidden">Template</legend>
      {ORDER.map((name) => {
        const { image, description } = templates[name];
        const missing = image !== undefined && !Object.hasOwn(images, image);
        return (
          <label key={name} className={styles.template} data-disabled={missing}>
            <input
              type="radio"
              name="template"
              value={name}
              checked={props.value === name}
              disabled={missing}
              onChange={() => props.onChange(name)}
            />
            <span className={styles.templateName}>{TITLES[name]}</span>
            <span className={styles.templateText}>
              {missing ? `This network knows no image called ${image}.` : description}
            </span>
          </label>
        );
      })}
    </fieldset>
  );
}
