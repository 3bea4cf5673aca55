ALTER TABLE `requests` ADD `workload` text;--> statement-breakpoint
ALTER TABLE `requests` ADD `on_behalf_of` text;--> statement-breakpoint
CREATE INDEX `requests_on_behalf` ON `requests` (`on_behalf_of`,`created_at`) WHERE on_behalf_of is not null;--> statement-breakpoint
ALTER TABLE `sessions` ADD `workload` text;