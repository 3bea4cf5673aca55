ALTER TABLE `memberships` ADD `ruling` text;--> statement-breakpoint
ALTER TABLE `memberships` ADD `ruled_at` integer;