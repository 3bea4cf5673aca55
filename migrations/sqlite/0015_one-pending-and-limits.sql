CREATE TABLE `holders` (
	`person` text PRIMARY KEY NOT NULL,
	`version` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `requests_one_pending` ON `requests` (`requester`,`entitlement`) WHERE state = 'pending';