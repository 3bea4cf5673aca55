CREATE TABLE `kept_answers` (
	`key` text PRIMARY KEY NOT NULL,
	`fingerprint` text NOT NULL,
	`tries` integer NOT NULL,
	`body` text,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `kept_answers_by_age` ON `kept_answers` (`at`);