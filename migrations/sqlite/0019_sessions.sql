CREATE TABLE `sessions` (
	`id` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL,
	`kind` text NOT NULL,
	`secret_hash` text NOT NULL,
	`person` text NOT NULL,
	`person_name` text NOT NULL,
	`label` text,
	`scopes` text NOT NULL,
	`signed_in_at` integer,
	`acr` text,
	`amr` text,
	`created_at` integer NOT NULL,
	`created_by` text NOT NULL,
	`expires_at` integer NOT NULL,
	`ended_at` integer,
	`ended_by` text,
	`last_used_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `sessions_by_secret` ON `sessions` (`secret_hash`);--> statement-breakpoint
CREATE INDEX `sessions_by_kind` ON `sessions` (`kind`,`created_at`);--> statement-breakpoint
CREATE INDEX `sessions_by_age` ON `sessions` (`created_at`);